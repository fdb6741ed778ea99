station,lat,lon
A,50,4
